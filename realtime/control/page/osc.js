// OSC messages as bytes: an address, and arguments as [type, value] with the types i, f and s.

const text = new TextEncoder();

function padded(string) {
  const bytes = text.encode(string);
  const found = new Uint8Array((bytes.length + 4) & ~3);
  found.set(bytes);
  return found;
}

function argument([type, value]) {
  if (type === "s") return padded(value);
  const found = new DataView(new ArrayBuffer(4));
  if (type === "i") found.setInt32(0, value);
  else found.setFloat32(0, value);
  return new Uint8Array(found.buffer);
}

export function message(address, ...values) {
  const tags = "," + values.map(([type]) => type).join("");
  const parts = [padded(address), padded(tags), ...values.map(argument)];
  const found = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    found.set(part, at);
    at += part.length;
  }
  return found;
}
