import type { ImageRef, SubnetId, VmId } from '@factory/contracts';
import type { VmRecord } from '../vm/record.ts';
import type { DiskContents } from './disk-contents.ts';

/** The address that a VM has in its subnet, for as long as it exists. */
export interface AddressLease {
  readonly vmId: VmId;
  readonly subnetId: SubnetId;
  /** Of the whole subnet: `10.80.0.0/16`. */
  readonly cidr: string;
  readonly gatewayAddress: string;
  readonly ipAddress: string;
  readonly macAddress: string;
  readonly hostname: string;
}

/** A base image that VMs of this host can be made from. */
export interface Image {
  readonly name: string;
  /** Bytes of the virtual disk. */
  readonly virtualSizeBytes: number;
  /** The line on the serial console that says that the guest is up; undefined when it says none. */
  readonly readyMarker: string | undefined;
  /** What a machine of it needs at least. */
  readonly minMemoryMiB?: number;
}

/** An image whose file stays where it is until it is released. */
export interface HeldImage extends Image {
  readonly path: string;
  readonly format: 'qcow2' | 'raw';
  release(): void;
}

/** Where images come from. */
export interface ImageSource {
  /** A file on this host that a disk can lie upon. @throws VmFailure; the signal's reason. */
  acquire(ref: ImageRef, signal?: AbortSignal): Promise<HeldImage>;
  /** What is known of an image, here or not. @throws VmFailure */
  describe(ref: ImageRef): Promise<Image>;
}

/** A volume, as the guest sees it. */
export interface SeedMount {
  /** Name of the file system, or serial of the disk. */
  readonly tag: string;
  readonly type: 'virtiofs' | '9p' | 'disk';
  readonly path: string;
  readonly readOnly: boolean;
}

/** What the guest finds on its seed. */
export interface Seed {
  readonly instanceId: string;
  readonly hostname: string;
  readonly sshPublicKeys: readonly string[];
  readonly userData: string;
  /** Absent: `no-cloud`, which Linux guests read. Windows reads a config drive. */
  readonly form?: 'no-cloud' | 'config-drive';
  /** What the guest mounts by itself, at every start. */
  readonly mounts?: readonly SeedMount[];
  /** The administrator's, for a config drive; NoCloud has no place for it. */
  readonly adminPassword?: string;
}

/** What lies in a VM's folder. */
export interface StoredVm {
  /** The record as JSON, of any version; undefined when there is none, or it is no JSON. */
  readonly record: unknown;
  /** There is something that could not be made again: the disk. */
  readonly holdsData: boolean;
}

/** Where a VM's files are, for the domain's definition. */
export interface VmPaths {
  readonly diskPath: string;
  readonly seedPath: string;
  readonly consolePath: string;
}

/** A part of a console log. */
export interface ConsoleChunk {
  readonly text: string;
  /** Where the next part begins. */
  readonly nextByte: number;
}

/**
 * The files of this host's VMs. A VM has a folder with its record, disk and seed, a lease file and a
 * console log; nothing of it is left after `removeVm` and `removeLease`. All operations are
 * idempotent. They throw VmFailure. After the signal's abort they begin nothing more, and settle as
 * soon as what they have begun allows.
 */
export interface VmStorage extends DiskContents {
  /** Makes the folders. */
  prepare(): Promise<void>;
  /** @throws VmFailure `IMAGE_MISSING` or `IMAGE_CORRUPT`. */
  findImage(ref: ImageRef): Promise<Image>;

  /** What lies in the VM's folder. @throws VmFailure when the storage can't tell. */
  readVm(vmId: VmId): Promise<StoredVm>;
  /** Moves a record that makes no sense out of the way, for people to look at. */
  setRecordAside(vmId: VmId): Promise<void>;
  /** Replaces the record as a whole. With `durable` it is on the disk when this resolves. */
  writeRecord(record: VmRecord, options: { readonly durable: boolean }): Promise<void>;
  /** VMs that have a folder. */
  listVms(): Promise<readonly VmId[]>;

  writeLease(lease: AddressLease, signal?: AbortSignal): Promise<void>;
  removeLease(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** VMs that have a lease file. */
  listLeases(): Promise<readonly VmId[]>;

  hasDisk(vmId: VmId, signal?: AbortSignal): Promise<boolean>;
  /** Makes the VM's disk on top of the image; one that exists is left as it is. */
  createDisk(vmId: VmId, image: ImageRef, sizeGiB: number, signal?: AbortSignal): Promise<void>;
  /** Makes another disk beside the VM's own, in place of one that was begun before. */
  createNewDisk(vmId: VmId, image: ImageRef, sizeGiB: number, signal?: AbortSignal): Promise<void>;
  /** Puts the other disk in the place of the VM's own; it is the VM's own if there is none. */
  useNewDisk(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** Removes the other disk. */
  dropNewDisk(vmId: VmId, signal?: AbortSignal): Promise<void>;
  /** Makes the disk larger; one that is as large already is left as it is. */
  growDisk(vmId: VmId, sizeGiB: number, signal?: AbortSignal): Promise<void>;
  writeSeed(vmId: VmId, seed: Seed, signal?: AbortSignal): Promise<void>;
  /** Removes the VM's folder with all in it, and its console log. */
  removeVm(vmId: VmId, signal?: AbortSignal): Promise<void>;
  paths(vmId: VmId): VmPaths;

  /** Bytes in the console log; 0 when there is none. */
  consoleSize(vmId: VmId): Promise<number>;
  /** What was written from a byte on; from the start, when the log was cut since. */
  readConsole(vmId: VmId, fromByte: number, maxBytes: number): Promise<ConsoleChunk>;
  /** Calls `listener` whenever something was written to the log; gives the end of it. */
  watchConsole(vmId: VmId, listener: () => void): () => void;
  close(): Promise<void>;
}
