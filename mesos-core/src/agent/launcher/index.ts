export * from './executor-launcher.ts';
export * from './in-process-launcher.ts';
export * from './process-launcher.ts';
