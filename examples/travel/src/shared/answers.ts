// The two shapes every handler answers with.
export const json = (statusCode: number, body: unknown) => ({
  statusCode,
  headers: { "content-type": "application/json", "access-control-allow-origin": "*" },
  body: JSON.stringify(body),
});
export const refuse = (statusCode: number, message: string) => json(statusCode, { message });
