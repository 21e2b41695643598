import { dieAt, POINTS, pointsDuringActs } from '../simulation/scheduler-crashes.ts';
import { expectThat } from '../support/acceptance.ts';

/**
 * The scheduler is killed before and after each of its steps, once and twice in a row: when it first
 * takes the step, and again where it does so while a machine is resized or an image is made.
 */
const points = [...POINTS, ...(await pointsDuringActs())];
for (const times of [1, 2]) {
  let deaths = 0;
  for (const point of points) {
    const killed = await dieAt(point, times);
    expectThat(`${point.join(', ')}: killed ${killed} of ${times} times`, killed > 0);
    deaths += killed;
  }
  console.log(`  ${deaths} deaths at ${points.length} points; nothing lost, doubled or left`);
}
