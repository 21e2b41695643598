import { type Static, Type } from 'typebox';
import { DiskGiBSchema, MemoryMiBSchema, NameSchema, VcpusSchema } from './vm.ts';

/** A size of machine under a name, which batches may give instead of figures. */
export const FlavorSchema = Type.Object(
  {
    name: NameSchema,
    vcpus: VcpusSchema,
    memoryMiB: MemoryMiBSchema,
    diskGiB: DiskGiBSchema,
  },
  {
    additionalProperties: false,
    examples: [{ name: 'large', vcpus: 8, memoryMiB: 16_384, diskGiB: 40 }],
  },
);
export type Flavor = Readonly<Static<typeof FlavorSchema>>;
