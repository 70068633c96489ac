// The formats that pictures are given out in, as the server writes them (`FORMATS` in pipelines/gallery/formats.py, by ui/parts/scripts.py).

/** Name of a format -> what people call it. */
export const formats: Record<string, string>;
