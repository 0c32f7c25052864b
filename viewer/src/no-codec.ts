// NiiVue can read zarr with these codecs; scans arrive as NIfTI here, so 1.4 MB of WebAssembly stay out.
export default null;
