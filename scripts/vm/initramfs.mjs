/** The file system that a kernel boots with: an archive in the format "newc" of cpio(5), made in memory. Pure. */

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
const DIRECTORY = 0o040755;
const EXECUTABLE = 0o100755;

/**
 * `files`: content by path, without a slash in front; folders are made as they are needed. All of them can be executed.
 * Returns the parts of the archive.
 */
export function makeInitramfs(files) {
  const parts = [];
  const folders = new Set();
  let inode = 1;
  for (const [path, content] of files) {
    for (const folder of parentsOf(path)) {
      if (folders.has(folder)) continue;
      folders.add(folder);
      parts.push(...entry(folder, DIRECTORY, inode++, Buffer.alloc(0)));
    }
    parts.push(...entry(path, EXECUTABLE, inode++, Buffer.from(content)));
  }
  parts.push(...entry(TRAILER, 0, 0, Buffer.alloc(0)));
  return parts;
}

function parentsOf(path) {
  const names = path.split('/').slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

/** Header, name and content, each filled up to four bytes. */
function entry(path, mode, inode, content) {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join(''));
  return [header, name, padding(header.length + name.length), content, padding(content.length)];
}

function padding(length) {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
