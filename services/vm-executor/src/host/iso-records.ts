/** The records that an ISO 9660 image is made of (ECMA-119). */

export const SECTOR_BYTES = 2048;

/** What a volume descriptor says. */
export interface Volume {
  /** At most 32 bytes, in the descriptor's own characters. */
  readonly volumeId: Buffer;
  readonly isJoliet: boolean;
  readonly sectors: number;
  /** Of the table in little-endian order; the other follows it. */
  readonly pathTableSector: number;
  readonly pathTableBytes: number;
  readonly rootSector: number;
}

/** The seven bytes that every descriptor begins with (8.1). */
function writeHeader(target: Buffer, type: number): void {
  target.writeUInt8(type, 0);
  target.write('CD001', 1, 'latin1');
  target.writeUInt8(1, 6);
}

/** What ends the descriptors (8.3). */
export function writeTerminator(target: Buffer): void {
  writeHeader(target, 255);
}

/** A primary or, for Joliet, supplementary volume descriptor (8.4 and 8.5). */
export function writeVolumeDescriptor(target: Buffer, volume: Volume): void {
  const { isJoliet } = volume;
  writeHeader(target, isJoliet ? 2 : 1);
  const padding = isJoliet ? Buffer.from([0, 0x20]) : Buffer.from(' ');
  for (const [start, end] of [
    [8, 72],
    [190, 813],
  ] as const) {
    target.fill(padding, start, end);
  }
  volume.volumeId.copy(target, 40, 0, 32);
  writeBoth32(target, 80, volume.sectors);
  // UCS-2 level 3: `%/E`.
  target.fill(0, 72, 80);
  target.fill(0, 88, 120);
  if (isJoliet) target.write('%/E', 88, 'latin1');
  writeBoth16(target, 120, 1);
  writeBoth16(target, 124, 1);
  writeBoth16(target, 128, SECTOR_BYTES);
  writeBoth32(target, 132, volume.pathTableBytes);
  target.writeUInt32LE(volume.pathTableSector, 140);
  target.writeUInt32BE(volume.pathTableSector + 1, 148);
  directoryRecord(Buffer.from([0]), volume.rootSector, SECTOR_BYTES, true).copy(target, 156);
  for (const start of [813, 830, 847, 864]) target.fill('0', start, start + 16);
  target.writeUInt8(1, 881);
}

/** A directory in a path table; its parent by number, from 1 (9.4). */
export function pathTableRecord(
  name: Buffer,
  sector: number,
  parent: number,
  isBigEndian: boolean,
): Buffer {
  const record = Buffer.alloc(8 + name.length + (name.length % 2));
  record.writeUInt8(name.length, 0);
  if (isBigEndian) {
    record.writeUInt32BE(sector, 2);
    record.writeUInt16BE(parent, 6);
  } else {
    record.writeUInt32LE(sector, 2);
    record.writeUInt16LE(parent, 6);
  }
  name.copy(record, 8);
  return record;
}

/** 9.1. The recording date stays zero: the image says nothing about when it was made. */
export function directoryRecord(
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
