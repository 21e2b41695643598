export * from './containerizer.ts';
export * from './in-process-containerizer.ts';
export * from './posix-containerizer.ts';
