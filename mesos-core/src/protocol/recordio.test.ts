import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRecord, RecordDecoder, readRecords } from './recordio.ts';

const records = fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 5 });

async function* oneByOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (const byte of bytes) yield Uint8Array.of(byte);
}

describe('RecordIO', () => {
  it('is the length, a newline, and the bytes', () => {
    expect(Buffer.from(encodeRecord(Buffer.from('{"a":1}'))).toString()).toBe('7\n{"a":1}');
  });

  it('is read however it is split', () => {
    fc.assert(
      fc.property(records, fc.array(fc.nat(), { maxLength: 8 }), (wanted, cuts) => {
        const bytes = Buffer.concat(wanted.map(encodeRecord));
        const ends = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
        const decoder = new RecordDecoder();
        const read = [...ends, bytes.length].flatMap((end, index) =>
          decoder.push(bytes.subarray(ends[index - 1] ?? 0, end)),
        );
        decoder.end();
        expect(read.map((record) => [...record])).toEqual(wanted.map((record) => [...record]));
      }),
    );
  });

  it('is read at every split of a fixed stream in two', () => {
    const bytes = Buffer.from('3\nabc0\n12\nhello, world');
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const decoder = new RecordDecoder();
      const read = [...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))];
      expect(read.map(String)).toEqual(['abc', '', 'hello, world']);
    }
  });

  it('comes as a stream of records', async () => {
    const read = await Array.fromAsync(readRecords(oneByOne(Buffer.from('1\na2\nbc'))));
    expect(read.map(String)).toEqual(['a', 'bc']);
  });

  it.each(['x\n', '\n', '-1\n', '1 \n', '12345678901234567\n'])('%j is refused', (text) => {
    const push = (): unknown => new RecordDecoder().push(Buffer.from(text));
    expect(push).toThrow(expect.objectContaining({ code: 'MESOS_ERR_RECORDIO' }));
  });

  it('refuses a record that is too large before it comes', () => {
    const decoder = new RecordDecoder({ recordBytesMax: 10 });
    expect(decoder.push(Buffer.from('10\n0123456789'))).toHaveLength(1);
    expect(() => decoder.push(Buffer.from('11'))).toThrow('more than 10 bytes');
  });

  it.each(['5', '5\nabc', '5\n'])('an end within a record is an error: %j', async (text) => {
    const read = Array.fromAsync(readRecords(oneByOne(Buffer.from(text))));
    await expect(read).rejects.toThrow('ended within a record');
  });
});
