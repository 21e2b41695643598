export * from './checkpoint-store.ts';
export { createFileCheckpointStore, type FileCheckpointOptions } from './file-store.ts';
export { createMemoryDisk, type MemoryDisk } from './memory-store.ts';
