import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { EVENT_TYPES, EventSchema } from './event.ts';
import { ProjectIdSchema, stringEnum, WebhookIdSchema } from './ids.ts';
import { NameSchema } from './vm.ts';

const Time = Type.String({ format: 'date-time' });
const MaybeTime = Type.Union([Time, Type.Null()]);
const Url = Type.String({
  minLength: 1,
  maxLength: 2_000,
  pattern: '^https?://',
  description: 'Called with POST. Where it leads must be in the public internet.',
});
const Types = Type.Array(stringEnum(EVENT_TYPES), {
  maxItems: EVENT_TYPES.length,
  description: 'Only these; none: all.',
});

export const WEBHOOK_LIMITS = { perProject: 20, eventsPerDelivery: 100 } as const;

export const WebhookRequestSchema = Type.Object(
  { name: NameSchema, url: Url, types: Type.Optional(Types) },
  { additionalProperties: false },
);
export type WebhookRequest = Static<typeof WebhookRequestSchema>;

export const WebhookChangeSchema = Type.Object(
  {
    url: Type.Optional(Url),
    types: Type.Optional(Types),
    state: Type.Optional(stringEnum(['active', 'disabled'])),
  },
  { additionalProperties: false },
);
export type WebhookChange = Static<typeof WebhookChangeSchema>;

const webhook = {
  id: WebhookIdSchema,
  projectId: ProjectIdSchema,
  name: NameSchema,
  url: Url,
  types: Types,
  state: stringEnum(['active', 'disabled']),
  reason: Type.Union([Type.String(), Type.Null()], { description: 'Why it is switched off.' }),
  delivered: Type.Integer({ description: 'The number of the last event that is dealt with.' }),
  failingSince: MaybeTime,
  nextAttemptAt: MaybeTime,
  createdAt: Time,
};
export const WebhookSchema = Type.Object(webhook);
export type Webhook = Static<typeof WebhookSchema>;
export const NewWebhookSchema = Type.Object({
  ...webhook,
  secret: Type.String({ description: 'What deliveries are signed with; shown this once.' }),
});
export type NewWebhook = Static<typeof NewWebhookSchema>;

/** One call that was made. */
export const WebhookDeliverySchema = Type.Object({
  number: Type.Integer(),
  at: Time,
  firstEvent: Type.Integer(),
  lastEvent: Type.Integer(),
  events: Type.Integer(),
  status: Type.Union([Type.Integer(), Type.Null()], { description: 'Null: there was no answer.' }),
  error: Type.Union([Type.String(), Type.Null()]),
  durationMs: Type.Integer(),
});
export type WebhookDelivery = Static<typeof WebhookDeliverySchema>;

/** What a receiver gets. */
export const WebhookBodySchema = Type.Object({
  webhookId: WebhookIdSchema,
  delivery: Type.String({ description: 'The same whenever the same events are sent again.' }),
  events: Type.Array(EventSchema),
});
export type WebhookBody = Static<typeof WebhookBodySchema>;

export const WEBHOOK_SIGNATURE_HEADER = 'x-factory-webhook-signature';

/** `t=<seconds>,v1=<hex>`: HMAC-SHA256 with the webhook's secret over `<seconds>.<body>`. */
export function signWebhook(secret: string, timestampSeconds: number, body: string): string {
  const signed = `${timestampSeconds}.${body}`;
  const signature = createHmac('sha256', secret).update(signed).digest('hex');
  return `t=${timestampSeconds},v1=${signature}`;
}

/** Whether a delivery was signed with the secret, at most `toleranceSeconds` ago. Pure. */
export function isWebhookGenuine(
  secret: string,
  header: string,
  body: string,
  nowSeconds: number,
  toleranceSeconds = 300,
): boolean {
  const time = Number(/^t=(\d{1,12}),/.exec(header)?.[1] ?? Number.NaN);
  if (!(Math.abs(nowSeconds - time) <= toleranceSeconds)) return false;
  const expected = createHash('sha256')
    .update(signWebhook(secret, time, body))
    .digest();
  return timingSafeEqual(expected, createHash('sha256').update(header).digest());
}
