import { fileExists, type HttpTransport, requestJson, writeFileAtomic } from '@factory/runtime';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FactoryPlan, urlOf } from './process-plan.ts';
import { putSecret } from './secrets.ts';

const BootstrapAnswerSchema = Type.Object({
  projectId: Type.String(),
  adminKey: Type.Union([Type.Object({ keyId: Type.String(), secret: Type.String() }), Type.Null()]),
  clusters: Type.Array(
    Type.Object({ name: Type.String(), token: Type.Union([Type.String(), Type.Null()]) }),
  ),
});
const bootstrapAnswer = Compile(BootstrapAnswerSchema);

/**
 * Makes sure that there is a project with an admin key (written to credentials.json) and that each
 * cluster has a token to enrol with, unless it has enrolled. Repeating it changes nothing.
 */
export async function bootstrap(
  plan: FactoryPlan,
  transport: HttpTransport,
  internalToken: string,
): Promise<void> {
  const { layout } = plan;
  const hasCredentials = await fileExists(layout.credentialsFile);
  const answer: Static<typeof BootstrapAnswerSchema> = await requestJson(
    transport,
    {
      method: 'POST',
      url: `${urlOf(plan.apiServerPorts[0] ?? 0)}/internal/v1/bootstrap`,
      headers: { authorization: `Bearer ${internalToken}` },
      json: { clusters: plan.clusters.map(({ name }) => name), rotateAdminKey: !hasCredentials },
      timeoutMs: 30_000,
    },
    (value) => bootstrapAnswer.Parse(value),
  );
  if (answer.adminKey !== null) {
    const text = `${JSON.stringify(answer.adminKey, null, 2)}\n`;
    await writeFileAtomic(layout.credentialsFile, text, { mode: 0o600 });
  }
  for (const { name, token } of answer.clusters) {
    // Once a cluster has enrolled it needs no token any more; the setting still wants a text.
    await putSecret(layout, `${name}-enrolment-token`, token ?? 'enrolled');
  }
}
