export { ZooKeeperClient, type ZooKeeperOptions } from './client.ts';
export { hasReason } from './errors.ts';
export { isZooKeeperUrl, parseZooKeeperUrl } from './url.ts';
