/**
 * A small ISO 9660 image with Joliet names, made in memory: starting genisoimage for each machine
 * would cost 20 ms and a process. Formats: ECMA-119 (ISO 9660), and Microsoft's "Joliet
 * Specification" 1995, whose names keep lower case and dashes (`user-data`).
 */

const SECTOR_BYTES = 2048;
/** The first 16 sectors belong to the system (ECMA-119, 6.2.1). */
const PRIMARY_SECTOR = 16;
const JOLIET_SECTOR = 17;
const TERMINATOR_SECTOR = 18;
/** Each tree: a path table in both byte orders, then the root directory. */
const PRIMARY_TREE_SECTOR = 19;
const JOLIET_TREE_SECTOR = 22;
const FILES_SECTOR = 25;
const PATH_TABLE_BYTES = 10;
const FILES_MAX = 8;

/** One file in the image's root. */
export interface IsoFile {
  /** Lower-case letters, digits and dashes. */
  readonly name: string;
  readonly content: Uint8Array;
}

interface PlacedFile extends IsoFile {
  readonly sector: number;
}

/** How a tree writes its names. */
interface Tree {
  readonly sector: number;
  readonly encodeName: (name: string) => Buffer;
}

const PRIMARY_TREE: Tree = {
  sector: PRIMARY_TREE_SECTOR,
  encodeName: (name) =>
    Buffer.from(`${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}.;1`, 'latin1'),
};
const JOLIET_TREE: Tree = { sector: JOLIET_TREE_SECTOR, encodeName: utf16BigEndian };

/**
 * The bytes of an image labelled `volumeId` with these files. Pure: the same input gives the same
 * bytes.
 * @throws RangeError when there are more than eight files, whose names would not fit one sector.
 */
export function isoImage(volumeId: string, files: readonly IsoFile[]): Uint8Array {
  if (files.length > FILES_MAX) throw new RangeError(`at most ${FILES_MAX} files fit`);
  const placed = place(files);
  const last = placed.at(-1);
  const sectors = last === undefined ? FILES_SECTOR : last.sector + sectorsOf(last.content.length);
  const image = Buffer.alloc(sectors * SECTOR_BYTES);
  const at = (sector: number): Buffer => image.subarray(sector * SECTOR_BYTES);
  writeDescriptor(at(PRIMARY_SECTOR), 1, Buffer.from(volumeId, 'latin1'), sectors, PRIMARY_TREE);
  writeDescriptor(at(JOLIET_SECTOR), 2, utf16BigEndian(volumeId), sectors, JOLIET_TREE);
  writeHeader(at(TERMINATOR_SECTOR), 255);
  for (const tree of [PRIMARY_TREE, JOLIET_TREE]) {
    writePathTables(at(tree.sector), at(tree.sector + 1), rootSectorOf(tree));
    writeRoot(at(rootSectorOf(tree)), tree, placed);
  }
  for (const { sector, content } of placed) image.set(content, sector * SECTOR_BYTES);
  return image;
}

/** Files one after the other, each from the beginning of a sector, sorted as directories must be. */
function place(files: readonly IsoFile[]): readonly PlacedFile[] {
  let sector = FILES_SECTOR;
  return [...files]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((file) => {
      const placed = { ...file, sector };
      sector += sectorsOf(file.content.length);
      return placed;
    });
}

function sectorsOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / SECTOR_BYTES));
}

function rootSectorOf(tree: Tree): number {
  return tree.sector + 2;
}

/** The seven bytes that every descriptor begins with (ECMA-119, 8.1). */
function writeHeader(target: Buffer, type: number): void {
  target.writeUInt8(type, 0);
  target.write('CD001', 1, 'latin1');
  target.writeUInt8(1, 6);
}

/** A primary or supplementary volume descriptor (ECMA-119, 8.4 and 8.5). */
function writeDescriptor(
  target: Buffer,
  type: 1 | 2,
  volumeId: Buffer,
  sectors: number,
  tree: Tree,
): void {
  const isJoliet = type === 2;
  writeHeader(target, type);
  const padding = isJoliet ? Buffer.from([0, 0x20]) : Buffer.from(' ');
  for (const [start, end] of [
    [8, 72],
    [190, 813],
  ] as const) {
    target.fill(padding, start, end);
  }
  volumeId.copy(target, 40, 0, 32);
  writeBoth32(target, 80, sectors);
  // UCS-2 level 3: `%/E`.
  target.fill(0, 72, 80);
  target.fill(0, 88, 120);
  if (isJoliet) target.write('%/E', 88, 'latin1');
  writeBoth16(target, 120, 1);
  writeBoth16(target, 124, 1);
  writeBoth16(target, 128, SECTOR_BYTES);
  writeBoth32(target, 132, PATH_TABLE_BYTES);
  target.writeUInt32LE(tree.sector, 140);
  target.writeUInt32BE(tree.sector + 1, 148);
  directoryRecord(Buffer.from([0]), rootSectorOf(tree), SECTOR_BYTES, true).copy(target, 156);
  for (const start of [813, 830, 847, 864]) target.fill('0', start, start + 16);
  target.writeUInt8(1, 881);
}

/** One entry each: the root directory (ECMA-119, 9.4). */
function writePathTables(little: Buffer, big: Buffer, rootSector: number): void {
  for (const table of [little, big]) table.writeUInt8(1, 0);
  little.writeUInt32LE(rootSector, 2);
  little.writeUInt16LE(1, 6);
  big.writeUInt32BE(rootSector, 2);
  big.writeUInt16BE(1, 6);
}

/** The root directory: itself, its parent (itself again), the files. */
function writeRoot(target: Buffer, tree: Tree, files: readonly PlacedFile[]): void {
  const root = rootSectorOf(tree);
  const records = [
    directoryRecord(Buffer.from([0]), root, SECTOR_BYTES, true),
    directoryRecord(Buffer.from([1]), root, SECTOR_BYTES, true),
    ...files.map(({ name, sector, content }) =>
      directoryRecord(tree.encodeName(name), sector, content.length, false),
    ),
  ];
  Buffer.concat(records).copy(target);
}

/** ECMA-119, 9.1. The recording date stays zero: the image says nothing about when it was made. */
function directoryRecord(
  name: Buffer,
  sector: number,
  bytes: number,
  isDirectory: boolean,
): Buffer {
  const length = 33 + name.length + ((name.length + 1) % 2);
  const record = Buffer.alloc(length);
  record.writeUInt8(length, 0);
  writeBoth32(record, 2, sector);
  writeBoth32(record, 10, bytes);
  record.writeUInt8(isDirectory ? 2 : 0, 25);
  writeBoth16(record, 28, 1);
  record.writeUInt8(name.length, 32);
  name.copy(record, 33);
  return record;
}

function writeBoth16(target: Buffer, offset: number, value: number): void {
  target.writeUInt16LE(value, offset);
  target.writeUInt16BE(value, offset + 2);
}

function writeBoth32(target: Buffer, offset: number, value: number): void {
  target.writeUInt32LE(value, offset);
  target.writeUInt32BE(value, offset + 4);
}

function utf16BigEndian(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}
