export { ZooKeeperClient, type ZooKeeperOptions } from './client.ts';
export { hasReason } from './errors.ts';
export { parseZooKeeperUrl } from './url.ts';
