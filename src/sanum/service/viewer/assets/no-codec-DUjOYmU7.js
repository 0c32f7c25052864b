const o=null;export{o as default};
