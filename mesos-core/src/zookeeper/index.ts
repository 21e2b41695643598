export { ZooKeeperClient, type ZooKeeperOptions } from './client.ts';
export { hasReason, ZooKeeperError } from './errors.ts';
export { isZooKeeperUrl, parseZooKeeperUrl } from './url.ts';
