import { describe, expect, it } from 'vitest';
import { graphicsOf } from './graphics.ts';

describe('the screens of a domain', () => {
  it('are served on sockets or ports, as its live XML says', () => {
    const xml = `<domain><devices>
      <graphics type='vnc' socket='/run/a&amp;b/&apos;vnc&apos;.sock'>
        <listen type='socket' socket='/run/vnc.sock'/>
      </graphics>
      <graphics type='vnc' port='5901' autoport='yes' listen='127.0.0.1'>
        <listen type='address' address='127.0.0.1'/>
      </graphics>
    </devices></domain>`;
    expect(graphicsOf(xml)).toStrictEqual([
      { type: 'vnc', kind: 'socket', path: "/run/a&b/'vnc'.sock" },
      { type: 'vnc', kind: 'tcp', host: '127.0.0.1', port: 5_901 },
    ]);
  });

  it('are none where nothing is served', () => {
    expect(graphicsOf(`<graphics type='vnc' port='-1' autoport='yes' listen='::1'/>`)).toEqual([]);
    expect(graphicsOf(`<graphics type='egl-headless'/>`)).toEqual([]);
    expect(graphicsOf('<domain><description>&lt;graphics type=</description></domain>')).toEqual(
      [],
    );
  });
});
