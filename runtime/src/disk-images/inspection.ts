import { isQcow2, parseQcow2Header, type Qcow2Header } from './qcow2-header.ts';

/** Why a file is not taken as an image. Each names what is wrong with it, for its owner. */
export const IMAGE_REFUSALS = [
  'UNKNOWN_FORMAT',
  'NOT_RAW',
  'CUT_OFF',
  'BACKING_FILE',
  'DATA_FILE',
  'ENCRYPTED',
  'INTERNAL_SNAPSHOTS',
  'UNKNOWN_FEATURES',
  'ABSURD_SIZE',
  'CORRUPT',
] as const;
export type ImageRefusal = (typeof IMAGE_REFUSALS)[number];

export type DiskFormat = 'qcow2' | 'raw';

/** A file's format and virtual size, or why it is refused. */
export type Inspection =
  | { readonly format: DiskFormat; readonly virtualSizeBytes: number }
  | { readonly refusal: ImageRefusal; readonly message: string };

/** As much of a file's start as is looked at. */
export const INSPECTED_BYTES = 512;

const SECTOR_BYTES = 512;
const TIB = 1024 ** 4;
/** The largest disk of a machine (contracts: VM_LIMITS.diskGiBMax). */
const VIRTUAL_SIZE_BYTES_MAX = 64 * TIB;
/** QEMU's own bounds (block/qcow2.h: QCOW_MAX_L1_SIZE, QCOW_MAX_REFTABLE_SIZE, MIN/MAX_CLUSTER_BITS). */
const L1_BYTES_MAX = 32 * 1024 ** 2;
const REFCOUNT_TABLE_BYTES_MAX = 8 * 1024 ** 2;
const CLUSTER_BITS = { min: 9, max: 21 } as const;
/** Incompatible features (docs/interop/qcow2.txt): dirty and corrupt bits, data file, compression, extended L2. */
const DATA_FILE_BIT = 4;
const CORRUPT_BIT = 2;
const KNOWN_BITS = 1 + CORRUPT_BIT + DATA_FILE_BIT + 8 + 16;

/** Files of other formats begin so: none of them is a raw disk, whatever its owner says. */
const FOREIGN_MAGIC: readonly {
  readonly name: string;
  readonly offset: number;
  readonly bytes: Buffer;
}[] = [
  { name: 'QED', offset: 0, bytes: Buffer.from('QED\0', 'latin1') },
  { name: 'VMDK', offset: 0, bytes: Buffer.from('KDMV', 'latin1') },
  { name: 'VMDK', offset: 0, bytes: Buffer.from('COWD', 'latin1') },
  { name: 'VMDK', offset: 0, bytes: Buffer.from('# Disk DescriptorFile', 'latin1') },
  { name: 'VHDX', offset: 0, bytes: Buffer.from('vhdxfile', 'latin1') },
  { name: 'VHD', offset: 0, bytes: Buffer.from('conectix', 'latin1') },
  { name: 'Parallels', offset: 0, bytes: Buffer.from('WithoutFreeSpace', 'latin1') },
  { name: 'Parallels', offset: 0, bytes: Buffer.from('WithouFreSpacExt', 'latin1') },
  { name: 'VDI', offset: 64, bytes: Buffer.from([0x7f, 0x10, 0xda, 0xbe]) },
];
const LUKS_MAGIC = Buffer.from('LUKS\xba\xbe', 'latin1');

/**
 * What a file is by its own first bytes. Nothing is guessed: what carries no known mark is a raw disk
 * only when its owner says so, and then must carry none. QEMU's guess could be led by a guest, who
 * writes a header into its raw disk that names a file of the host's.
 */
export function inspectStart(
  start: Buffer,
  fileBytes: number,
  claimed: DiskFormat | undefined,
): Inspection {
  if (isQcow2(start)) {
    if (claimed === 'raw') return refuse('NOT_RAW', 'The file is not raw: it is a qcow2 file.');
    return inspectQcow2(start, fileBytes);
  }
  if (start.subarray(0, LUKS_MAGIC.length).equals(LUKS_MAGIC)) {
    return refuse('ENCRYPTED', 'The file is encrypted (LUKS).');
  }
  const foreign = FOREIGN_MAGIC.find(({ offset, bytes }) =>
    start.subarray(offset, offset + bytes.length).equals(bytes),
  );
  if (claimed !== 'raw') {
    const what = foreign === undefined ? 'It is no qcow2 file' : `It is a ${foreign.name} file`;
    return refuse('UNKNOWN_FORMAT', `${what}; images are qcow2, or raw when told so.`);
  }
  if (foreign !== undefined)
    return refuse('NOT_RAW', `The file is not raw: it is ${foreign.name}.`);
  if (fileBytes === 0 || fileBytes % SECTOR_BYTES !== 0) {
    return refuse('CUT_OFF', `A raw disk is sectors of 512 bytes; this has ${fileBytes} bytes.`);
  }
  if (fileBytes > VIRTUAL_SIZE_BYTES_MAX) return absurd(`a disk of ${fileBytes} bytes`);
  return { format: 'raw', virtualSizeBytes: fileBytes };
}

function inspectQcow2(start: Buffer, fileBytes: number): Inspection {
  const header = parseQcow2Header(start);
  if (header === undefined) return refuse('CUT_OFF', 'The file ends within its header.');
  if (header.version !== 2 && header.version !== 3) {
    return refuse('UNKNOWN_FORMAT', `There is no qcow2 of version ${header.version}.`);
  }
  return (
    findReference(header) ??
    findAbsurdity(header, fileBytes) ?? {
      format: 'qcow2',
      virtualSizeBytes: header.virtualSizeBytes,
    }
  );
}

/** What leads out of the file, or makes it another's. */
function findReference(header: Qcow2Header): Inspection | undefined {
  const { backingNameOffset, backingNameLength, incompatibleFeatures: features } = header;
  if (backingNameOffset !== 0 || backingNameLength !== 0) {
    return refuse('BACKING_FILE', 'The file lies upon another one; flatten it (qemu-img convert).');
  }
  if (features > KNOWN_BITS) {
    return refuse('UNKNOWN_FEATURES', 'The file needs features that are not known here.');
  }
  if ((features & DATA_FILE_BIT) !== 0) {
    return refuse('DATA_FILE', "The file's data are in another file.");
  }
  if ((features & CORRUPT_BIT) !== 0) return refuse('CORRUPT', 'QEMU marked the file as corrupt.');
  if (header.cryptMethod !== 0) return refuse('ENCRYPTED', 'The file is encrypted.');
  if (header.snapshots !== 0) {
    return refuse('INTERNAL_SNAPSHOTS', `The file has ${header.snapshots} snapshots within.`);
  }
  return undefined;
}

/** What would make a reader take memory or time without end. */
function findAbsurdity(header: Qcow2Header, fileBytes: number): Inspection | undefined {
  const { clusterBits, virtualSizeBytes, l1Entries, l1Offset } = header;
  if (clusterBits < CLUSTER_BITS.min || clusterBits > CLUSTER_BITS.max) {
    return absurd(`clusters of 2^${clusterBits} bytes`);
  }
  if (virtualSizeBytes === 0 || virtualSizeBytes > VIRTUAL_SIZE_BYTES_MAX) {
    return absurd(`a disk of ${virtualSizeBytes} bytes`);
  }
  const clusterBytes = 2 ** clusterBits;
  const l1Bytes = l1Entries * 8;
  // An L1 entry stands for as many clusters as a cluster has entries of 8 bytes (or of 16).
  const l1EntriesMin = Math.floor(virtualSizeBytes / (clusterBytes * (clusterBytes / 8)));
  if (l1Bytes > L1_BYTES_MAX || l1Entries < l1EntriesMin) return absurd(`${l1Entries} L1 entries`);
  const tableBytes = header.refcountTableClusters * clusterBytes;
  if (tableBytes === 0 || tableBytes > REFCOUNT_TABLE_BYTES_MAX) {
    return absurd(`a table of ${tableBytes} bytes for counts`);
  }
  const ends = [l1Offset + l1Bytes, header.refcountTableOffset + clusterBytes];
  if (ends.some((end) => end > roundUp(fileBytes, clusterBytes))) {
    return refuse('CUT_OFF', `Its tables lie beyond its end, at ${fileBytes} bytes.`);
  }
  return undefined;
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

function absurd(what: string): Inspection {
  return refuse('ABSURD_SIZE', `The file speaks of ${what}.`);
}

function refuse(refusal: ImageRefusal, message: string): Inspection {
  return { refusal, message };
}
