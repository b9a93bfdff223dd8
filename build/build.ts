/** `npm run build`: makes the Synology package. See `--help`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPackage } from './build-package.ts';
import { PROCESSOR_NAMES } from './targets.ts';

const HELP = `npm run build -- [options]
  --out DIR          where the .spk file goes (dist)
  --version V        the package's version as DSM counts, such as 0.1.0-0002 (that of package.json)
  --processor NAME   ${PROCESSOR_NAMES.join(' or ')} only, for a quick look
`;

const root = resolve(import.meta.dirname, '..');

try {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'dist' },
      version: { type: 'string' },
      processor: { type: 'string', multiple: true, default: [...PROCESSOR_NAMES] },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
  } else {
    const startedAt = performance.now();
    const { file, sizeBytes } = await buildPackage({
      root,
      outDir: resolve(values.out),
      processors: PROCESSOR_NAMES.filter((name) => values.processor.includes(name)),
      ...(values.version === undefined ? {} : { version: values.version }),
    });
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    process.stdout.write(`${file}: ${(sizeBytes / 1024 / 1024).toFixed(2)} MB, checked, in ${seconds} s\n`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
