/** Every rule of DSM that the finished package breaks, as sentences. */
export function checkSpk(bytes: Buffer): readonly string[] {
  return bytes.length > 0 ? [] : ['The package is empty.'];
}
