export { ZooKeeperClient } from './client.ts';
export { parseZooKeeperUrl } from './url.ts';
