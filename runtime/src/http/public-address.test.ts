import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { isPublicAddress } from './public-address.ts';
import { createUndiciTransport } from './undici-transport.ts';

describe('public addresses', () => {
  it('are those that belong to nobody inside', () => {
    const inside = ['127.0.0.1', '10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.169.254'];
    const more = ['0.0.0.0', '100.64.0.1', '224.0.0.1', '::1', '::', 'fe80::1', 'fd00::1'];
    const disguised = ['::ffff:127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', 'ff02::1', 'x'];
    for (const address of [...inside, ...more, ...disguised]) {
      expect(isPublicAddress(address), address).toBe(false);
    }
    for (const address of ['1.1.1.1', '172.32.0.1', '2606:4700::1111', '2a00:1450::1']) {
      expect(isPublicAddress(address), address).toBe(true);
    }
  });

  it('are all that a guarded transport connects to, by number or by name', async () => {
    const server = createServer((_request, response) => response.end('secret'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const transport = createUndiciTransport({ allowsAddress: isPublicAddress });
    try {
      // The last two are how browsers write 127.0.0.1, too.
      for (const host of ['127.0.0.1', 'localhost', '[::1]', '2130706433', '0x7f.1']) {
        const url = `http://${host}:${port}/`;
        const request = { method: 'GET', url, timeoutMs: 5_000 } as const;
        await expect(transport.request(request), host).rejects.toThrow('public internet');
        await expect(transport.stream(request), host).rejects.toThrow('public internet');
      }
    } finally {
      await transport.close();
      server.close();
    }
  });
});
