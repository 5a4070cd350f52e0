"""How many families of Hugging Face's transformers and of timm port, each with its proof.

    python benchmarks/port_zoo.py --out transformers.jsonl             all that the file does not have yet
    python benchmarks/port_zoo.py --out timm.jsonl --timm
    python benchmarks/port_zoo.py --out transformers.jsonl gpt2 t5     these again

Nothing is downloaded: a transformer is made of a small configuration, of timm there is one small model a family,
all with random weights. Needs `transformers` and `timm` beside what `compose` needs.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
from pathlib import Path
from typing import Any

from port_coverage import measure, note, read, run, table, torch_port, torchvision

# Of each transformer: its module and class, its configuration, what it is fed, and what is read of its output.
WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
TEXT = {**WIDE, "vocab_size": 61, "max_position_embeddings": 32, "pad_token_id": 0}
LLAMA = {**TEXT, "num_key_value_heads": 2, "use_cache": False}
T5 = {"vocab_size": 61, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "use_cache": False}
BART = {
    "vocab_size": 61, "d_model": 32, "max_position_embeddings": 32, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
    "use_cache": False, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
IMAGE = {**WIDE, "image_size": 32, "patch_size": 8}
GPT2 = {"vocab_size": 61, "n_positions": 32, "n_embd": 32, "n_layer": 2, "n_head": 4, "use_cache": False}
DISTIL = {"vocab_size": 61, "max_position_embeddings": 32, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
OPT = {**TEXT, "ffn_dim": 48, "word_embed_proj_dim": 32, "use_cache": False}
SOUND = {
    **WIDE, "vocab_size": 32, "conv_dim": (16, 16, 16), "conv_stride": (4, 2, 2), "conv_kernel": (8, 3, 3),
    "num_feat_extract_layers": 3, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
WHISPER = {
    **BART,
    "num_mel_bins": 8,
    "max_source_positions": 16,
    "max_target_positions": 32,
    "decoder_start_token_id": 1,
}
MASKED, CAUSAL = ("input_ids", "attention_mask"), ("input_ids", "attention_mask")
PAIR = ("input_ids", "attention_mask", "decoder_input_ids")
TRANSFORMERS = {
    "bert": ("bert.BertForSequenceClassification", TEXT, MASKED, "logits"),
    "distilbert": ("distilbert.DistilBertModel", DISTIL, MASKED, "last_hidden_state"),
    "roberta": ("roberta.RobertaForMaskedLM", TEXT, MASKED, "logits"),
    "albert": ("albert.AlbertModel", {**TEXT, "embedding_size": 16}, MASKED, "last_hidden_state"),
    "electra": ("electra.ElectraModel", {**TEXT, "embedding_size": 16}, MASKED, "last_hidden_state"),
    "mpnet": ("mpnet.MPNetModel", TEXT, MASKED, "last_hidden_state"),
    "gpt2": ("gpt2.GPT2LMHeadModel", GPT2, CAUSAL, "logits"),
    "gpt_neox": ("gpt_neox.GPTNeoXForCausalLM", {**TEXT, "use_cache": False}, CAUSAL, "logits"),
    "opt": ("opt.OPTForCausalLM", OPT, CAUSAL, "logits"),
    "llama": ("llama.LlamaForCausalLM", LLAMA, CAUSAL, "logits"),
    "mistral": ("mistral.MistralForCausalLM", {**LLAMA, "sliding_window": 4}, CAUSAL, "logits"),
    "qwen2": ("qwen2.Qwen2ForCausalLM", LLAMA, CAUSAL, "logits"),
    "qwen3": ("qwen3.Qwen3ForCausalLM", {**LLAMA, "head_dim": 8}, CAUSAL, "logits"),
    "gemma": ("gemma.GemmaForCausalLM", {**LLAMA, "head_dim": 8}, CAUSAL, "logits"),
    "phi": ("phi.PhiForCausalLM", LLAMA, CAUSAL, "logits"),
    "t5_encoder": ("t5.T5EncoderModel", T5, MASKED, "last_hidden_state"),
    "t5": ("t5.T5ForConditionalGeneration", T5, PAIR, "logits"),
    "bart": ("bart.BartForConditionalGeneration", BART, PAIR, "logits"),
    "vit": ("vit.ViTForImageClassification", IMAGE, ("pixel_values",), "logits"),
    "deit": ("deit.DeiTForImageClassification", IMAGE, ("pixel_values",), "logits"),
    "dinov2": ("dinov2.Dinov2Model", IMAGE, ("pixel_values",), "last_hidden_state"),
    "swin": (
        "swin.SwinForImageClassification",
        {"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": (2, 2), "num_heads": (2, 4), "window_size": 4},
        ("pixel_values",), "logits",
    ),
    "convnext": (
        "convnext.ConvNextForImageClassification",
        {"hidden_sizes": (8, 16, 24, 32), "depths": (1, 1, 2, 1), "image_size": 32}, ("pixel_values",), "logits",
    ),
    "wav2vec2": ("wav2vec2.Wav2Vec2ForCTC", SOUND, ("input_values",), "logits"),
    "clip_text": ("clip.CLIPTextModelWithProjection", {**TEXT, "eos_token_id": 2}, MASKED, "text_embeds"),
    "clip_vision": ("clip.CLIPVisionModelWithProjection", IMAGE, ("pixel_values",), "image_embeds"),
    "whisper": (
        "whisper.WhisperForConditionalGeneration", WHISPER, ("input_features", "decoder_input_ids"), "logits",
    ),
}  # fmt: skip
TIMM = (
    "resnetv2_18", "efficientnet_b0", "convnext_atto", "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224",
    "swin_tiny_patch4_window7_224", "mixer_s32_224", "resmlp_12_224", "gmlp_ti16_224", "levit_128s",
    "poolformer_s12", "mobilevit_xxs", "mobilevitv2_050", "coat_lite_tiny", "cait_xxs24_224", "xcit_nano_12_p16_224",
    "edgenext_xx_small", "ghostnet_050", "hrnet_w18_small", "dla34", "rexnet_100", "nf_resnet26", "regnety_002",
    "repvgg_a0", "volo_d1_224", "twins_svt_small", "pit_ti_224", "tnt_s_patch16_224", "beit_base_patch16_224",
    "crossvit_9_240", "visformer_tiny", "focalnet_tiny_srf", "inception_next_atto", "fastvit_t8",
    "efficientformer_l1", "davit_tiny", "pvt_v2_b0", "convmixer_768_32", "mobilenetv4_conv_small", "sequencer2d_s",
    "res2net50_14w_8s", "ese_vovnet19b_slim", "starnet_s050", "mambaout_femto", "eva02_tiny_patch14_224",
    "repvit_m0_9", "tiny_vit_5m_224", "caformer_s18", "convit_tiny", "seresnet18", "halonet_h1", "lambda_resnet26t",
    "botnet26t_256", "skresnet18", "maxvit_rmlp_pico_rw_256", "coatnet_pico_rw_224",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="by default every model that the file does not have")
    parser.add_argument("--out", type=Path, required=True, help="the JSON lines file that is added to")
    parser.add_argument("--timm", action="store_true", help="timm's families instead of transformers")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for a model")
    parser.add_argument("--level", choices=("none", "outputs", "gradients"), default="gradients", help="of the proof")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        ports = functools.partial(torch_port, build=timm_model if args.timm else transformer)
        print(json.dumps(measure(args.one, ports, args.level)))
        return
    names = TIMM if args.timm else tuple(TRANSFORMERS)
    rows = read(args.out)
    for model in args.models or [name for name in names if name not in rows]:
        rows[model] = run(model, args, __file__, ["--timm"] * args.timm)
        note(rows[model], args.out)
    print("\n" + table(rows, len(names)))


def transformer(name: str) -> tuple[Any, ...]:
    """A model whose `forward` takes tensors and gives one, and its inputs: three examples, two of them padded."""
    import torch

    class Reads(torch.nn.Module):
        def __init__(self, model, names, field):
            super().__init__()
            self.model, self.names, self.field = model, names, field

        def forward(self, *inputs):
            return getattr(self.model(**dict(zip(self.names, inputs))), self.field)

    torchvision()
    torch.manual_seed(0)
    where, options, names, field = TRANSFORMERS[name]
    module, _, cls = where.partition(".")
    made = getattr(importlib.import_module(f"transformers.models.{module}.modeling_{module}"), cls)
    ids = torch.randint(3, 60, (3, 7))
    inputs = {
        "input_ids": ids, "attention_mask": (torch.arange(7) < torch.tensor([[7], [5], [3]])).long(),
        "decoder_input_ids": ids[:, :5], "pixel_values": torch.randn(3, 3, 32, 32),
        "input_values": torch.randn(3, 400), "input_features": torch.randn(3, 8, 32),
    }  # fmt: skip
    return Reads(made(made.config_class(**options)), names, field).eval(), *(inputs[n] for n in names)


def timm_model(name: str) -> tuple[Any, ...]:
    import torch

    torchvision()
    import timm

    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False).eval()
    fixed = model.default_cfg.get("fixed_input_size")
    return model, torch.randn(2, *(model.default_cfg["input_size"] if fixed else (3, 64, 64)))


if __name__ == "__main__":
    main()
