import { dieAt, POINTS } from '../simulation/scheduler-crashes.ts';
import { expectThat } from '../support/acceptance.ts';

/** The scheduler is killed before and after each of its steps, once and twice in a row. */
for (const times of [1, 2]) {
  let deaths = 0;
  for (const point of POINTS) {
    const killed = await dieAt(point, times);
    expectThat(`${point.join(', ')}: killed ${killed} of ${times} times`, killed > 0);
    deaths += killed;
  }
  console.log(`  ${deaths} deaths at ${POINTS.length} points; nothing lost, doubled or left`);
}
