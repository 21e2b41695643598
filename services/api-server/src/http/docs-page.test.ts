import { expect, it } from 'vitest';
import { describeOnEachStore } from '../testing/each-store.ts';
import { PUBLIC_OPERATIONS } from './access.ts';
import { docsPage } from './docs-page.ts';

it('shows nothing as markup that is not', () => {
  const page = docsPage({ paths: { '/<x>': { get: { summary: '<script>"a" & b</script>' } } } });
  expect(page).toContain('&lt;script&gt;&quot;a&quot; &amp; b');
  expect(page).not.toContain('<script');
});

describeOnEachStore('the documentation page', (test) => {
  it('has every public operation, and loads nothing from anywhere', async () => {
    const answer = await test().factory.api.app.inject('/docs');
    expect(answer.headers['content-type']).toContain('text/html');
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    for (const name of PUBLIC_OPERATIONS) expect(answer.body).toContain(`id="${name}"`);
    expect(answer.body).not.toMatch(/<script|src=|https?:\/\/(?!json-schema)/);
  });
});
