import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generateMessages } from '../../scripts/generate-messages.ts';

it('messages.ts is what the .proto files give', () => {
  const committed = readFileSync(new URL('./messages.ts', import.meta.url), 'utf8');
  expect(committed, 'run: node mesos-core/scripts/generate-messages.ts').toBe(generateMessages());
});
