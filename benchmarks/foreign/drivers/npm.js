// Driver of the generators from npm, each with its defaults, or its documentation's example where there are none.
'use strict'

const fs = require('fs')
const readline = require('readline')

const [name, , seed] = process.argv.slice(2)

// Mulberry32: 32 bits of state, which is enough to draw the same images again. Before any package can keep Math.random.
let state = Number(seed) >>> 0
Math.random = () => {
  state = (state + 0x6d2b79f5) >>> 0
  let mixed = Math.imul(state ^ (state >>> 15), state | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
}

const generators = {
  captchapng: () => {
    const Captcha = require('captchapng')
    return async () => {
      const text = String(Math.floor(Math.random() * 9000 + 1000))
      const image = new Captcha(80, 30, text)
      image.color(0, 0, 0, 0)
      image.color(80, 80, 80, 255)
      return [text, Buffer.from(image.getBase64(), 'base64')]
    }
  },
  'node-captcha-generator': () => {
    const Captcha = require('node-captcha-generator')
    return () =>
      new Promise((resolve, reject) => {
        const captcha = new Captcha()
        captcha.toBase64((error, url) => {
          if (error) reject(error)
          else resolve([captcha.value, Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')])
        })
      })
  },
  'ppfun-captcha': () => svg(require('ppfun-captcha')),
  'svg-captcha': () => svg(require('svg-captcha')),
  'trek-captcha': () => {
    const captcha = require('trek-captcha')
    return async () => {
      const { token, buffer } = await captcha()
      return [token, buffer]
    }
  },
}

function svg (captcha) {
  const { Resvg } = require('@resvg/resvg-js')
  return async () => {
    const { text, data } = captcha.create()
    return [text, new Resvg(data).render().asPng()]
  }
}

async function main () {
  const make = generators[name]()
  for await (const path of readline.createInterface({ input: process.stdin })) {
    const [text, image] = await make()
    fs.writeFileSync(path, image)
    console.log(text)
  }
}

main()
