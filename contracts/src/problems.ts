/**
 * The error catalogue of the REST API and the services. Codes are stable; docs/errors.md lists them
 * all, and a test keeps the two equal.
 */
export const PROBLEMS = {
  invalidRequest: {
    code: 'FACTORY_ERR_INVALID_REQUEST',
    status: 400,
    title: 'The request is not valid',
  },
  unsigned: { code: 'FACTORY_ERR_UNSIGNED', status: 401, title: 'The request is not signed' },
  badSignature: {
    code: 'FACTORY_ERR_BAD_SIGNATURE',
    status: 401,
    title: 'The signature does not match',
  },
  badLogin: {
    code: 'FACTORY_ERR_BAD_LOGIN',
    status: 401,
    title: 'Nobody is known by this name and password',
  },
  noSession: {
    code: 'FACTORY_ERR_NO_SESSION',
    status: 401,
    title: 'The session is over',
  },
  clockSkew: {
    code: 'FACTORY_ERR_CLOCK_SKEW',
    status: 401,
    title: 'The request was signed too long ago, or in the future',
  },
  replayed: { code: 'FACTORY_ERR_REPLAYED', status: 401, title: 'The request was sent before' },
  forbidden: { code: 'FACTORY_ERR_FORBIDDEN', status: 403, title: 'The key may not do this' },
  clusterRevoked: {
    code: 'FACTORY_ERR_CLUSTER_REVOKED',
    status: 403,
    title: 'The cluster is no longer part of the factory',
  },
  notFound: { code: 'FACTORY_ERR_NOT_FOUND', status: 404, title: 'There is no such thing' },
  unknownImage: { code: 'FACTORY_ERR_UNKNOWN_IMAGE', status: 422, title: 'There is no such image' },
  unknownSubnet: {
    code: 'FACTORY_ERR_UNKNOWN_SUBNET',
    status: 422,
    title: 'There is no such subnet',
  },
  nameTaken: { code: 'FACTORY_ERR_NAME_TAKEN', status: 409, title: 'The name is in use' },
  idempotencyConflict: {
    code: 'FACTORY_ERR_IDEMPOTENCY_CONFLICT',
    status: 409,
    title: 'The idempotency key was used for another request',
  },
  wrongState: {
    code: 'FACTORY_ERR_WRONG_STATE',
    status: 409,
    title: 'The machine is not in a state that allows this',
  },
  preconditionFailed: {
    code: 'FACTORY_ERR_PRECONDITION_FAILED',
    status: 412,
    title: 'It has changed since it was read',
  },
  staleEpoch: {
    code: 'FACTORY_ERR_STALE_EPOCH',
    status: 409,
    title: 'A newer session or assignment exists',
  },
  unsupportedProtocol: {
    code: 'FACTORY_ERR_UNSUPPORTED_PROTOCOL',
    status: 426,
    title: 'The peer speaks a version that is not supported',
  },
  eventsForgotten: {
    code: 'FACTORY_ERR_EVENTS_FORGOTTEN',
    status: 410,
    title: 'The events after this one are not kept any more',
  },
  subnetFull: {
    code: 'FACTORY_ERR_SUBNET_FULL',
    status: 409,
    title: 'The subnet is too small',
  },
  subnetInUse: {
    code: 'FACTORY_ERR_SUBNET_IN_USE',
    status: 409,
    title: 'Machines are in the subnet',
  },
  addressTaken: {
    code: 'FACTORY_ERR_ADDRESS_TAKEN',
    status: 409,
    title: 'Another machine has the address',
  },
  limitReached: {
    code: 'FACTORY_ERR_LIMIT_REACHED',
    status: 409,
    title: 'There are as many as there may be',
  },
  quotaExceeded: {
    code: 'FACTORY_ERR_QUOTA_EXCEEDED',
    status: 409,
    title: 'This is more than the quota allows',
  },
  noRoom: {
    code: 'FACTORY_ERR_NO_ROOM',
    status: 409,
    title: 'There is no room for all of it at present',
  },
  holdGone: {
    code: 'FACTORY_ERR_HOLD_GONE',
    status: 409,
    title: 'The hold is over or used',
  },
  volumeUnusable: {
    code: 'FACTORY_ERR_VOLUME_UNUSABLE',
    status: 409,
    title: 'The volume can not be given to these machines',
  },
  volumeInUse: {
    code: 'FACTORY_ERR_VOLUME_IN_USE',
    status: 409,
    title: 'Machines have the volume',
  },
  projectInUse: {
    code: 'FACTORY_ERR_PROJECT_IN_USE',
    status: 409,
    title: 'The project is not empty',
  },
  rateLimited: { code: 'FACTORY_ERR_RATE_LIMITED', status: 429, title: 'Too many requests' },
  notReady: {
    code: 'FACTORY_ERR_NOT_READY',
    status: 503,
    title: 'A part of the factory is not ready',
  },
  timeout: { code: 'FACTORY_ERR_TIMEOUT', status: 504, title: 'The answer did not come in time' },
} as const;
