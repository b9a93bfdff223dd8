/** For `node --import`: this process believes that it is later by CLOCK_OFFSET_MS. */
const offsetMs = Number(process.env['CLOCK_OFFSET_MS'] ?? '0');
const realNow = Date.now.bind(Date);

Date.now = () => realNow() + offsetMs;
