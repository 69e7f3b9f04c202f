//! The names by which an enterprise goes beside its full one.

/// The ways in which people call an enterprise: without its place, without its legal form, by its own word alone.
pub(super) fn short_names(name: &str) -> Vec<String> {
    const FORMS: &[&str] = &[
        "股份有限公司",
        "有限责任公司",
        "集团有限公司",
        "有限公司",
        "集团公司",
        "集团",
        "公司",
        "合伙企业",
        "个体工商户",
        "厂",
        "经营部",
        "商行",
        "工作室",
        "（有限合伙）",
        "(有限合伙)",
    ];
    const TRADES: &[&str] = &[
        "科技",
        "贸易",
        "建设",
        "建筑",
        "工程",
        "实业",
        "电子",
        "机械",
        "食品",
        "物流",
        "制造",
        "服饰",
        "纺织",
        "网络",
        "信息",
        "技术",
        "商贸",
        "发展",
        "投资",
        "管理",
        "咨询",
        "服务",
        "文化",
        "传媒",
        "设计",
        "装饰",
        "材料",
        "生物",
        "医药",
        "医疗",
        "能源",
        "环保",
        "农业",
        "餐饮",
        "酒店",
        "置业",
        "地产",
        "汽车",
        "运输",
        "进出口",
        "国际",
        "智能",
        "新材料",
        "建材",
        "五金",
        "家具",
        "家居",
        "玩具",
        "鞋业",
        "服装",
        "塑胶",
        "化工",
        "电气",
        "电器",
        "光电",
        "新能源",
        "茶业",
        "水产",
        "石材",
        "陶瓷",
        "包装",
        "印刷",
        "模具",
        "钢铁",
        "金属",
        "汽配",
        "商务",
        "供应链",
        "教育",
        "旅游",
        "广告",
        "园林",
        "人力资源",
        "软件",
        "数据",
        "劳务",
    ];
    let mut names = Vec::new();
    let mut add = |name: &str, least: usize| {
        let common = TRADES.contains(&name) || matches!(name, "我们" | "公司" | "企业" | "中国");
        if name.chars().count() >= least && !common && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    let bare = FORMS.iter().find_map(|form| name.strip_suffix(form)).unwrap_or(name);
    let after_place = |text: &str| -> Option<String> {
        let chars: Vec<char> = text.chars().collect();
        let cut = chars.iter().take(9).rposition(|c| matches!(c, '省' | '市' | '县' | '区'))?;
        (cut >= 1).then(|| chars.iter().skip(cut + 1).collect())
    };
    let local = after_place(bare);
    add(bare, 3);
    if let Some(local) = &local {
        add(local, 2);
        add(name.get(bare.len() - local.len()..).unwrap_or_default(), 4);
    }
    let mut core = local.unwrap_or_else(|| bare.to_owned());
    while let Some(rest) = TRADES.iter().find_map(|trade| core.strip_suffix(trade)) {
        core = rest.to_owned();
    }
    add(&core, 2);
    names
}
