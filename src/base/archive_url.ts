/** Whether `text` is where an archive is that is no file: `s3://`, `https://` or `http://`. */
export function isArchiveUrl(text: string): boolean {
  return /^(?:s3|https?):\/\//i.test(text);
}
