/** The pages of the settings, in the order of their tabs. Notifications, import and export come with their issues. */
export const SETTINGS_TABS = ['general', 'web', 'security', 'maintenance'] as const;
export type SettingsTab = (typeof SETTINGS_TABS)[number];
