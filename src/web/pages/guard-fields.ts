import { GUARD_LIMITS, GUARD_SWITCHES } from '../../settings/guard-form.ts';
import type { GuardForm } from '../../settings/guard-form.ts';
import type { Text } from '../../text.ts';

/** One guard of a task's form. */
export interface GuardFieldView {
  readonly name: string;
  readonly words: string;
  readonly isOn: boolean;
  /** undefined where the guard has no number. */
  readonly limit: { readonly value: string; readonly unit: string; readonly label: string } | undefined;
}

export function guardFieldViews(form: GuardForm, { t }: Text): GuardFieldView[] {
  const words = (name: string): string => t(`gd.${name}`);
  return [
    ...GUARD_LIMITS.map((name) => ({
      name,
      words: words(name),
      isOn: form.guards.includes(name),
      limit: {
        value: form[name],
        unit: t(name.endsWith('Percent') ? 'gd.percent' : 'gd.files'),
        label: t('gd.limit', { guard: words(name) }),
      },
    })),
    ...GUARD_SWITCHES.map((name) => ({
      name,
      words: words(name),
      isOn: form.guards.includes(name),
      limit: undefined,
    })),
  ];
}
