// Runs checks by name and prints one line of JSON for each: {"check","error"}. A check fails by throwing, or by taking
// longer than it may. Then `end`; and ends the process, with 1 when one failed.
const CHECK_MS = 30_000;

export async function runChecks(checks, end = () => {}) {
  let failed = 0;
  for (const [check, run] of Object.entries(checks)) {
    let timer;
    const limit = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not within ${CHECK_MS} ms`)), CHECK_MS); });
    const error = await Promise.race([run(), limit]).then(() => null, (e) => e.stack ?? String(e));
    clearTimeout(timer);
    if (error) failed++;
    console.log(JSON.stringify({ check, error }));
  }
  await end();
  process.exit(failed ? 1 : 0);
}
