import type { Seed } from './port.ts';

/** What makes the files of a VM's disks. */
export interface DiskTools {
  /** Writes a qcow2 file on top of a base image; a reader never sees a part of it. */
  createOverlay(options: {
    readonly path: string;
    readonly basePath: string;
    readonly baseFormat: 'qcow2' | 'raw';
    readonly sizeBytes: number;
    /** Ends the tool; nothing appears at `path` afterwards. */
    readonly signal?: AbortSignal | undefined;
  }): Promise<void>;
  /** Makes a qcow2 file's disk larger, or leaves it when it is as large already. */
  grow(options: {
    readonly path: string;
    readonly sizeBytes: number;
    readonly signal?: AbortSignal | undefined;
  }): Promise<void>;
  /** Writes the seed as an ISO 9660 file, in place of one that is there. */
  writeSeed(path: string, seed: Seed): Promise<void>;
}
