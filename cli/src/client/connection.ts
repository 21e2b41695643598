import { CredentialsSchema, EndpointsSchema } from '@factory/contracts';
import { readJsonIfExists } from '@factory/runtime';
import { Compile } from 'typebox/compile';
import type { Layout } from '../supervisor/layout.ts';

const endpointsFile = Compile(EndpointsSchema);
const credentialsFile = Compile(CredentialsSchema);

/** Where the API is, and the key pair to sign with. */
export interface Connection {
  readonly url: string;
  /** All gateways, `url` first, when there are several. */
  readonly gateways?: readonly string[];
  readonly keyId: string;
  readonly secret: string;
}

/** There is nothing to talk to. */
export class NotRunningError extends Error {
  readonly code = 'FACTORY_ERR_NOT_RUNNING';
  constructor(detail: string) {
    super(`${detail} Start the factory with: ./factory up --detach`);
    this.name = 'NotRunningError';
  }
}

/**
 * `FACTORY_URL`, `FACTORY_KEY_ID` and `FACTORY_SECRET` when set, else what the local factory wrote.
 * @throws NotRunningError when there is neither.
 */
export async function readConnection(layout: Layout): Promise<Connection> {
  const { FACTORY_URL: url, FACTORY_KEY_ID: keyId, FACTORY_SECRET: secret } = process.env;
  if (url !== undefined && keyId !== undefined && secret !== undefined) {
    return { url: url.replace(/\/+$/, ''), keyId, secret };
  }
  const endpoints = await readJsonIfExists(layout.endpointsFile);
  const credentials = await readJsonIfExists(layout.credentialsFile);
  if (!endpointsFile.Check(endpoints)) throw new NotRunningError('No factory is running here.');
  if (!credentialsFile.Check(credentials)) {
    throw new NotRunningError(`There is no key pair in ${layout.credentialsFile}.`);
  }
  const { gateway, gateways } = endpoints;
  return { url: gateway, ...(gateways === undefined ? {} : { gateways }), ...credentials };
}
