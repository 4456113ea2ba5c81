FROM python:3.13-slim
COPY . /source
RUN pip install --no-cache-dir "/source[onnx,serve]" && rm -r /source && useradd --create-home reader
USER reader
WORKDIR /home/reader
EXPOSE 8000
ENTRYPOINT ["ctc-ocr", "serve", "--host", "0.0.0.0"]
