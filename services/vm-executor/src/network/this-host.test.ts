import { describe, expect, it } from 'vitest';
import { nameServersIn, tunnelAddressOf } from './this-host.ts';

describe("a host's tunnels", () => {
  it("end at the setting's address, else at the agent's", () => {
    expect(tunnelAddressOf('192.0.2.9', 'http://192.0.2.7:5051')).toBe('192.0.2.9');
    expect(tunnelAddressOf(undefined, 'http://192.0.2.7:5051')).toBe('192.0.2.7');
  });

  it.each(['http://127.0.0.1:5051', 'http://0.0.0.0:5051', 'http://agent-1:5051'])(
    'are none where no other host reaches it: %s',
    (agentUrl) => {
      expect(tunnelAddressOf(undefined, agentUrl)).toBeNull();
    },
  );
});

it("takes the host's name servers, but for those that only the host itself can ask", () => {
  const text =
    '# comment\nnameserver 127.0.0.53\n nameserver 192.0.2.53\nnameserver ::1\nsearch x\n';
  expect(nameServersIn(text)).toEqual(['192.0.2.53']);
});
