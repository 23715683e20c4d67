// Reads the photos in a .zip file, in the browser: the service never unpacks anything.
const END = 0x06054b50, ENTRY = 0x02014b50, STORED = 0, DEFLATED = 8;
const LARGEST = 60_000_000, MOST = 2000;  // bytes of a photo, and photos
const IMAGE = /\.(jpe?g|png|webp|tiff?|heic|heif|avif|bmp|gif|jp2)$/i;

/** Return the images of a .zip file as files, by name; those in hidden folders are left out. */
export async function imagesInZip(file) {
  const tail = new DataView(await file.slice(Math.max(0, file.size - 66_000)).arrayBuffer());
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END) end--;
  if (end < 0) throw new Error("no directory");
  const size = tail.getUint32(end + 12, true), start = tail.getUint32(end + 16, true);
  const directory = new DataView(await file.slice(start, start + size).arrayBuffer());
  const images = [];
  for (let at = 0; at + 46 <= directory.byteLength && directory.getUint32(at, true) === ENTRY;) {
    const method = directory.getUint16(at + 10, true), packed = directory.getUint32(at + 20, true);
    const unpacked = directory.getUint32(at + 24, true), offset = directory.getUint32(at + 42, true);
    const [name, extra, comment] = [28, 30, 32].map(field => directory.getUint16(at + field, true));
    const path = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, name));
    at += 46 + name + extra + comment;
    if (!IMAGE.test(path) || /(^|\/)(\.|__MACOSX)/.test(path)) continue;
    if (unpacked > LARGEST || images.length >= MOST) throw new Error("too large");
    const local = new DataView(await file.slice(offset, offset + 30).arrayBuffer());
    const begin = offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    const content = await unpack(file.slice(begin, begin + packed), method, unpacked);
    images.push(new File([content], path));
  }
  return images;
}

async function unpack(content, method, size) {
  if (method === STORED) return content;
  if (method !== DEFLATED) throw new Error("unknown method");
  const parts = [];
  let length = 0;
  const reader = content.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > size) throw new Error("larger than stated");  // a bomb
    parts.push(part.value);
  }
  return new Blob(parts);
}
