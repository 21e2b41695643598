import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificates } from '../testing/certificates.ts';
import { readClientTls, readTls } from './tls.ts';

let directory: string;
let env: Record<string, string>;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tls-'));
  env = makeCertificates(directory);
});

afterAll(() => rmSync(directory, { recursive: true }));

const without = (...names: readonly string[]) =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => !names.some((each) => name.endsWith(each))),
  );

describe('TLS as libprocess has it', () => {
  it('is off unless it is asked for', () => {
    expect(readTls(without('ENABLED'))).toBeUndefined();
    expect(readClientTls({})).toBeUndefined();
  });

  it('verifies servers as soon as there is an authority, unless told otherwise', () => {
    const verifies = (more: Record<string, string>) =>
      readTls({ ...without('CA_FILE'), ...more })?.client.verifiesServer;
    expect(verifies({})).toBe(false);
    expect(verifies(env)).toBe(true);
    expect(verifies({ ...env, LIBPROCESS_SSL_VERIFY_CERT: 'false' })).toBe(false);
    expect(verifies({ ...env, LIBPROCESS_SSL_VERIFY_SERVER_CERT: '0' })).toBe(false);
  });

  it('needs a certificate of a server, and none of what only calls', () => {
    const bare = without('CERT_FILE', 'KEY_FILE');
    expect(() => readTls(bare)).toThrow(/CERT_FILE and LIBPROCESS_SSL_KEY_FILE are required/);
    expect(readClientTls(bare)).toMatchObject({ identity: undefined, verifiesServer: true });
    expect(readClientTls(env)?.identity?.certificate).toContain('BEGIN CERTIFICATE');
    expect(() => readClientTls(without('KEY_FILE'))).toThrow(/are required/);
  });

  it('names the variable that is wrong', () => {
    const wrong = [
      { LIBPROCESS_SSL_CA_FILE: '/nowhere' },
      { LIBPROCESS_SSL_ENABLED: 'perhaps' },
      { LIBPROCESS_SSL_REQUIRE_CERT: '1', LIBPROCESS_SSL_CA_FILE: '' },
    ];
    for (const more of wrong) {
      expect(() => readTls({ ...env, ...more })).toThrow(
        /LIBPROCESS_SSL_(CA_FILE|ENABLED|REQUIRE)/,
      );
    }
  });
});
