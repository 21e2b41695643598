import { type Static, Type } from 'typebox';
import type { Procedure } from '../src/vm/procedure.ts';

/** What a process that may be killed is told to do. */
export const WorkSchema = Type.Object({
  /** Of the host whose files these are; beside it lies the image of its machine's disk. */
  hostDir: Type.String(),
  procedure: Type.String(),
  /** `<procedure>/<step>/before|after`, or after so many calls that change files; empty: at none. */
  killAt: Type.String(),
  /** The machine's guest is on. */
  isOn: Type.Boolean(),
});
export type Work = Static<typeof WorkSchema>;

/** Before and after each step: what is after one is before the next. Each with its name for people. */
export function pointsOf<Context>({
  name,
  steps,
}: Pick<Procedure<Context>, 'name' | 'steps'>): readonly (readonly [
  where: string,
  killAt: string,
])[] {
  const names = steps.map((step) => step.name);
  const between = names.map((step, index) => {
    const next = names[index + 1];
    const isLast = next === undefined;
    return [
      `${name}: after ${step}${isLast ? '' : `, before ${next}`}`,
      `${name}/${step}/after`,
    ] as const;
  });
  return [[`${name}: before ${names[0]}`, `${name}/${names[0]}/before`], ...between];
}
