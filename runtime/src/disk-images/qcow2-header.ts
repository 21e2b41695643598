/** What the header of a qcow2 file says (QEMU: docs/interop/qcow2.txt). */
export interface Qcow2Header {
  readonly version: number;
  readonly clusterBits: number;
  readonly virtualSizeBytes: number;
  /** Where the backing file's name is, and how long; 0 when there is none. */
  readonly backingNameOffset: number;
  readonly backingNameLength: number;
  readonly cryptMethod: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly snapshots: number;
  /** Bits without which the file can't be understood; 0 in version 2. */
  readonly incompatibleFeatures: number;
}

/** As much of the file's start as `parseQcow2Header` reads. */
export const QCOW2_HEADER_BYTES = 104;
const MAGIC = Buffer.from('QFI\xfb', 'latin1');
const V2_HEADER_BYTES = 72;

/** Whether a file that begins so is a qcow2 file, or pretends to be. */
export function isQcow2(start: Buffer): boolean {
  return start.subarray(0, MAGIC.length).equals(MAGIC);
}

/** The header at the start of a qcow2 file; undefined when it is cut off, or none. */
export function parseQcow2Header(start: Buffer): Qcow2Header | undefined {
  if (!isQcow2(start) || start.length < V2_HEADER_BYTES) return undefined;
  const version = start.readUInt32BE(4);
  if (version >= 3 && start.length < QCOW2_HEADER_BYTES) return undefined;
  return {
    version,
    backingNameOffset: uint64(start, 8),
    backingNameLength: start.readUInt32BE(16),
    clusterBits: start.readUInt32BE(20),
    virtualSizeBytes: uint64(start, 24),
    cryptMethod: start.readUInt32BE(32),
    l1Entries: start.readUInt32BE(36),
    l1Offset: uint64(start, 40),
    refcountTableOffset: uint64(start, 48),
    refcountTableClusters: start.readUInt32BE(56),
    snapshots: start.readUInt32BE(60),
    incompatibleFeatures: version >= 3 ? uint64(start, 72) : 0,
  };
}

/** What exceeds 2^53 is absurd in every field, and stays so when it is rounded. */
function uint64(buffer: Buffer, offset: number): number {
  return Number(buffer.readBigUInt64BE(offset));
}
