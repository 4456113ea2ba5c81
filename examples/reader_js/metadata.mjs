// The entry `ctc_ocr` of an ONNX file's metadata. The runtime for the web does not give it out, so it is read here: a
// ModelProto is a protobuf message, whose field 14 (metadata_props) has messages of a key (1) and a value (2).

const METADATA_PROPS = 14;
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

export function describe(content) {
  for (const entry of fields(content, METADATA_PROPS)) {
    const [key, value] = [1, 2].map((number) => new TextDecoder().decode(fields(entry, number)[0]));
    if (key === "ctc_ocr") {
      const found = JSON.parse(value);
      if (found.format !== "ctc_ocr onnx" || found.version !== 1) {
        throw new Error(`not a model that this reader knows: ${found.format} ${found.version}`);
      }
      return found;
    }
  }
  throw new Error("not a model of ctc_ocr: its metadata does not describe it");
}

// The values of a field of a message whose type is bytes, a string or a message.
function fields(message, wanted) {
  const found = [];
  let position = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[position++];
      value += (byte & 127) * factor;
      if (byte < 128) {
        return value;
      }
    }
  };
  while (position < message.length) {
    const tag = varint();
    const [number, type] = [Math.floor(tag / 8), tag % 8];
    if (type === VARINT) {
      varint();
    } else if (type === FIXED64) {
      position += 8;
    } else if (type === FIXED32) {
      position += 4;
    } else if (type === BYTES) {
      const length = varint();
      if (number === wanted) {
        found.push(message.subarray(position, position + length));
      }
      position += length;
    } else {
      throw new Error("not an ONNX file");
    }
  }
  return found;
}
