import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Makes an authority and a certificate of 127.0.0.1, for servers and clients, with openssl.
 * @returns the variables of a process that uses them.
 */
export function makeCertificates(directory: string): Record<string, string> {
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = ['-x509', '-subj', '/CN=test', '-keyout', at('ca.key'), '-out', at('ca.pem')];
  openssl('req', ...key, ...authority);
  const host = ['-x509', '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-subj', '/CN=localhost'];
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE'];
  openssl('req', ...key, ...host, ...names, '-keyout', at('host.key'), '-out', at('host.pem'));
  return {
    LIBPROCESS_SSL_ENABLED: '1',
    LIBPROCESS_SSL_CERT_FILE: at('host.pem'),
    LIBPROCESS_SSL_KEY_FILE: at('host.key'),
    LIBPROCESS_SSL_CA_FILE: at('ca.pem'),
  };
}
