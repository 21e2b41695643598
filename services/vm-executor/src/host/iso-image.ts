/**
 * A small ISO 9660 image with Joliet names, made in memory: starting genisoimage for each machine
 * would cost 20 ms and a process. Formats: ECMA-119 (ISO 9660), and Microsoft's "Joliet
 * Specification" 1995, whose names keep lower case and dashes (`user-data`).
 */
import {
  directoryRecord,
  pathTableRecord,
  SECTOR_BYTES,
  writeTerminator,
  writeVolumeDescriptor,
} from './iso-records.ts';

/** The first 16 sectors belong to the system (ECMA-119, 6.2.1). */
const PRIMARY_SECTOR = 16;
const JOLIET_SECTOR = 17;
const TERMINATOR_SECTOR = 18;
const TREES_SECTOR = 19;

/** One file in the image. */
export interface IsoFile {
  /** Its path, with slashes: `meta-data`, `openstack/latest/user_data`. */
  readonly name: string;
  readonly content: Uint8Array;
}

interface PlacedFile extends IsoFile {
  readonly sector: number;
}

/** How a tree writes names. */
interface Names {
  readonly isJoliet: boolean;
  readonly file: (name: string) => Buffer;
  readonly directory: (name: string) => Buffer;
}

const PRIMARY: Names = {
  isJoliet: false,
  file: (name) => {
    const dot = name.lastIndexOf('.');
    const [stem, extension] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
    return Buffer.from(`${plain(stem)}.${plain(extension)};1`, 'latin1');
  },
  directory: (name) => Buffer.from(plain(name), 'latin1'),
};
const JOLIET: Names = { isJoliet: true, file: utf16BigEndian, directory: utf16BigEndian };

function plain(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
}

/**
 * The bytes of an image labelled `volumeId` with these files. Pure: the same input gives the same
 * bytes.
 * @throws RangeError when a directory has more entries than fit one sector (some twenty).
 */
export function isoImage(volumeId: string, files: readonly IsoFile[]): Uint8Array {
  const directories = directoriesOf(files);
  // Each tree: a path table in both byte orders, then a sector for each directory.
  const treeSectors = 2 + directories.length;
  const jolietSector = TREES_SECTOR + treeSectors;
  const filesSector = jolietSector + treeSectors;
  const placed = place(files, filesSector);
  const last = placed.at(-1);
  const sectors = last === undefined ? filesSector : last.sector + sectorsOf(last.content.length);
  const image = Buffer.alloc(sectors * SECTOR_BYTES);
  for (const [descriptorSector, sector, names] of [
    [PRIMARY_SECTOR, TREES_SECTOR, PRIMARY],
    [JOLIET_SECTOR, jolietSector, JOLIET],
  ] as const) {
    const tree = treeAt(sector, names, directories, placed);
    writeTree(image, tree);
    writeVolumeDescriptor(sectorOf(image, descriptorSector), {
      volumeId: names.isJoliet ? utf16BigEndian(volumeId) : Buffer.from(volumeId, 'latin1'),
      isJoliet: names.isJoliet,
      sectors,
      pathTableSector: sector,
      pathTableBytes: tree.pathTable.little.length,
      rootSector: tree.rootSector,
    });
  }
  writeTerminator(sectorOf(image, TERMINATOR_SECTOR));
  for (const { sector, content } of placed) image.set(content, sector * SECTOR_BYTES);
  return image;
}

/** Files one after the other, each from the beginning of a sector, sorted as directories must be. */
function place(files: readonly IsoFile[], firstSector: number): readonly PlacedFile[] {
  let sector = firstSector;
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

function sectorOf(image: Buffer, sector: number): Buffer {
  return image.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
}

/** The directories that the files lie in, and theirs; the root, `''`, first, then by depth. */
function directoriesOf(files: readonly IsoFile[]): readonly string[] {
  const found = new Set(['']);
  for (const { name } of files) {
    for (let path = parentOf(name); path !== ''; path = parentOf(path)) found.add(path);
  }
  const depth = (path: string): number => (path === '' ? 0 : path.split('/').length);
  return [...found].sort((a, b) => depth(a) - depth(b) || (a < b ? -1 : 1));
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A tree's bytes, and where they lie. */
interface Tree {
  readonly sector: number;
  readonly rootSector: number;
  readonly pathTable: { readonly little: Buffer; readonly big: Buffer };
  /** A sector each, from `rootSector` on. */
  readonly directories: readonly Buffer[];
}

const ITSELF = Buffer.from([0]);
const ITS_PARENT = Buffer.from([1]);

function treeAt(
  sector: number,
  names: Names,
  directories: readonly string[],
  files: readonly PlacedFile[],
): Tree {
  const rootSector = sector + 2;
  const sectorOfDirectory = (path: string): number => rootSector + directories.indexOf(path);
  const entry = (name: Buffer, path: string): Buffer =>
    directoryRecord(name, sectorOfDirectory(path), SECTOR_BYTES, true);
  const table = (isBigEndian: boolean): Buffer =>
    Buffer.concat(
      directories.map((path) => {
        const name = path === '' ? ITSELF : names.directory(nameOf(path));
        const parent = directories.indexOf(parentOf(path)) + 1;
        return pathTableRecord(name, sectorOfDirectory(path), parent, isBigEndian);
      }),
    );
  const contentOf = (directory: string): Buffer => {
    const inside = (path: string): boolean => path !== '' && parentOf(path) === directory;
    const entries = [
      ...directories.filter(inside).map((path) => {
        const name = names.directory(nameOf(path));
        return { name, record: entry(name, path) };
      }),
      ...files
        .filter((file) => inside(file.name))
        .map((file) => {
          const name = names.file(nameOf(file.name));
          return { name, record: directoryRecord(name, file.sector, file.content.length, false) };
        }),
    ].sort((a, b) => Buffer.compare(a.name, b.name));
    const dots = [entry(ITSELF, directory), entry(ITS_PARENT, parentOf(directory))];
    return Buffer.concat([...dots, ...entries.map(({ record }) => record)]);
  };
  return {
    sector,
    rootSector,
    pathTable: { little: table(false), big: table(true) },
    directories: directories.map(contentOf),
  };
}

/** @throws RangeError */
function writeTree(image: Buffer, { sector, rootSector, pathTable, directories }: Tree): void {
  const write = (content: Buffer, at: number): void => {
    if (content.length > SECTOR_BYTES) throw new RangeError('a directory does not fit one sector');
    content.copy(sectorOf(image, at));
  };
  write(pathTable.little, sector);
  write(pathTable.big, sector + 1);
  for (const [index, content] of directories.entries()) write(content, rootSector + index);
}

function utf16BigEndian(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}
