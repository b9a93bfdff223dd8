export interface FilterSet {
  /** Text key of the sentence that says what is left out, and why that can be afforded. */
  readonly descriptionKey: string;
  /** Exclusion patterns, as in filter-rules.ts. */
  readonly patterns: readonly string[];
}

/**
 * Ready-made exclusions. Each holds only what its software makes again by itself or what nobody would restore; a name
 * that could also be a person's own folder (a bare `cache/` or `tmp/` at any depth) is not in any of them.
 */
export const FILTER_SETS: Readonly<Record<string, FilterSet>> = {
  'wordpress-cache': set('wordpress-cache', [
    '**/wp-content/cache/',
    '**/wp-content/et-cache/',
    '**/wp-content/litespeed/',
    '**/wp-content/upgrade/',
    '**/wp-content/upgrade-temp-backup/',
    '**/wp-content/uploads/cache/',
  ]),
  'joomla-cache': set('joomla-cache', [
    '/cache/',
    '/www/cache/',
    '/public_html/cache/',
    '/htdocs/cache/',
    '/httpdocs/cache/',
    '**/administrator/cache/',
  ]),
  'prestashop-cache': set('prestashop-cache', [
    '**/var/cache/',
    '**/cache/smarty/cache/',
    '**/cache/smarty/compile/',
    '**/cache/cachefs/',
    '**/themes/*/cache/',
    '**/themes/*/assets/cache/',
  ]),
  'drupal-cache': set('drupal-cache', [
    '**/sites/*/files/css/',
    '**/sites/*/files/js/',
    '**/sites/*/files/php/',
    '**/sites/*/files/advagg_css/',
    '**/sites/*/files/advagg_js/',
  ]),
  'laravel-cache': set('laravel-cache', [
    '**/storage/framework/cache/',
    '**/storage/framework/sessions/',
    '**/storage/framework/views/',
  ]),
  'node-modules': set('node-modules', ['node_modules/', 'bower_components/']),
  'version-control': set('version-control', ['.git/', '.svn/', '.hg/', '.bzr/', 'CVS/']),
  logs: set('logs', ['*.log', '*.log.[0-9]*', '*.log.gz', 'error_log', 'access_log']),
  'temporary-files': set('temporary-files', ['*.tmp', '*.temp', '*.swp', '*.swo', '*~', '.~lock.*#', '*.crdownload']),
  thumbnails: set('thumbnails', [
    'Thumbs.db',
    'ehthumbs.db',
    '.DS_Store',
    '@eaDir/',
    '.thumbnails/',
    '**/sites/*/files/styles/',
    '**/img/tmp/',
  ]),
  'site-archives': set('site-archives', [
    '**/wp-content/updraft/',
    '**/wp-content/ai1wm-backups/',
    '**/wp-content/backups-dup-lite/',
    '**/wp-content/backups-dup-pro/',
    '**/wp-content/uploads/backwpup-*/',
    '**/administrator/components/com_akeeba*/backup/',
  ]),
};

function set(name: string, patterns: readonly string[]): FilterSet {
  return { descriptionKey: `filter-set.${name}`, patterns };
}
