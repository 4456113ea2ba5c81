"""Models as ONNX files: written, checked, and run by ONNX Runtime."""
