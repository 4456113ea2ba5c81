// Files that are chosen, dropped or pasted, as {file, name}. Of a folder, only images are taken.

const SUFFIX = /\.(bmp|gif|jpe?g|pbm|pgm|png|ppm|tiff?|webp)$/i;
const names = new Intl.Collator("en", { numeric: true });

const sorted = (found) => found.sort((one, other) => names.compare(one.name, other.name));

export function fromInput(input) {
  const found = Array.from(input.files, (file) => ({ file, name: file.webkitRelativePath || file.name }));
  input.value = ""; // so that the same file can be chosen again
  return input.webkitdirectory ? sorted(found.filter(({ name }) => SUFFIX.test(name))) : found;
}

// The entries are gone once the event is over, so they are taken before anything is awaited.
export async function fromDrop(transfer) {
  const entries = Array.from(transfer.items, (each) => each.webkitGetAsEntry?.());
  const files = Array.from(transfer.files, (file) => ({ file, name: file.name }));
  const folders = entries.filter((each) => each?.isDirectory);
  if (!folders.length) return files;
  const isFile = new Set(entries.filter((each) => each?.isFile).map(({ name }) => name));
  const found = await Promise.all(folders.map(inFolder));
  return [...files.filter(({ name }) => isFile.has(name)), ...sorted(found.flat())];
}

export function fromPaste(transfer) {
  return Array.from(transfer?.files ?? [], (file) => ({ file, name: file.name }));
}

async function inFolder(folder) {
  const reader = folder.createReader();
  let found = [];
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!entries.length) return found;
    for (const each of entries) {
      if (each.isDirectory) found = found.concat(await inFolder(each));
      else if (SUFFIX.test(each.name)) found.push(await asFile(each));
    }
  }
}

async function asFile(entry) {
  const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
  return { file, name: entry.fullPath.replace(/^\//, "") };
}
