// Errors as the server says them (RFC 9457): what is wrong, and what to do about it.

export interface Problem {
  status: number;
  title: string;
  detail: string;
  hint?: string;
}

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
    this.name = 'ApiError';
  }
}

/** No answer at all: the server is away, or the way to it. */
export class LostError extends Error {
  constructor(readonly why: string) {
    super(why);
    this.name = 'LostError';
  }
}

export async function problemOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '');
  let said: Partial<Problem> & { error?: string } = {};
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    // Not from Rialto: a proxy between us and it answers in HTML.
  }
  return new ApiError({
    status: response.status,
    title: said.title ?? response.statusText,
    detail: said.detail ?? said.error ?? `${response.status} ${response.statusText}`,
    hint: said.hint,
  });
}
