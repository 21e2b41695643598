export * from './containerizer.ts';
export * from './in-process-containerizer.ts';
export * from './mesos-containerizer.ts';
