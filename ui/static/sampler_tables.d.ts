// Which options act, as the server writes it (`tables` in pipelines/requests/sampling.py, by ui/parts/scripts.py).

/** Name of a sampler or of a schedule -> fields of a form; sampler -> the schedule that "Automatic" is for it; field -> what does nothing. */
export const options: { samplers: Record<string, string[]>; schedules: Record<string, string[]>; automatic: Record<string, string>; neutral: Record<string, number | string> };
